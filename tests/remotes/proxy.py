"""A proxy before an S3 server, with the faults that servers and networks have."""

import http.client
import http.server
import threading
import time


class Proxy:
    """Passes requests on, unless `fault` answers them. It may be changed at any time."""

    def __init__(self, server_port, tls=None):
        self.server_port = server_port
        self.fault = None
        self.asked = []
        self.lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with proxy.lock:
                    proxy.asked.append((self.command, self.path))
                fault = proxy.fault
                if fault is not None and fault(self, body):
                    return
                self.reply(*proxy.passed(self, body))

            def reply(self, status, headers, body, cut=None):
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                length = dict((name.lower(), value) for name, value in headers).get("content-length")
                self.send_header("content-length", length if self.command == "HEAD" and length else str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body if cut is None else body[:cut])
                if cut is not None:
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                """Whoever asked has gone."""

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def passed(self, request, body):
        """What the server answers: status, headers, body."""
        server = http.client.HTTPConnection("127.0.0.1", self.server_port, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        server.request(request.command, request.path, body or None, headers)
        answer = server.getresponse()
        read = answer.read()
        server.close()
        return answer.status, answer.getheaders(), read

    def count(self, method, part=""):
        """How often it was asked."""
        with self.lock:
            return sum(asked == method and part in path for asked, path in self.asked)

    def forget(self):
        with self.lock:
            self.asked.clear()


def refuses(status, code, times=None, method=None, message="Told to"):
    """Answers with an error, the first `times` times."""
    left = [times]
    lock = threading.Lock()

    def fault(request, _):
        if method is not None and request.command != method:
            return False
        with lock:
            if left[0] == 0:
                return False
            if left[0] is not None:
                left[0] -= 1
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        request.reply(status, [("content-type", "application/xml")], text.encode())
        return True

    return fault


def waits(seconds):
    """Answers late."""

    def fault(*_):
        time.sleep(seconds)
        return False

    return fault


def silent(request, _):
    """Takes the request and says nothing."""
    time.sleep(300)
    return True


def drops(request, _):
    """Ends the connection without an answer."""
    request.close_connection = True
    return True
