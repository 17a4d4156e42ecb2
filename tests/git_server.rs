//! A web server for git repositories.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Serves the repositories of a folder by `git http-backend`; none where git has no such program.
pub fn serve(folder: &Path) -> Option<u16> {
    let path = Command::new("git").arg("--exec-path").output().ok()?;
    let backend = Path::new(String::from_utf8(path.stdout).ok()?.trim()).join("git-http-backend");
    if !backend.is_file() {
        return None;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let root = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let (method, target) = line.split_once(' ').unwrap_or_default();
            let target = target.split(' ').next().unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let mut cgi = Command::new(&backend);
            cgi.env("GIT_PROJECT_ROOT", &root)
                .env("GIT_HTTP_EXPORT_ALL", "1")
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", "safe.directory")
                .env("GIT_CONFIG_VALUE_0", "*")
                .env("REQUEST_METHOD", method)
                .env("PATH_INFO", path)
                .env("QUERY_STRING", query);
            let mut length = 0;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).unwrap();
                let Some((name, value)) = header.trim().split_once(": ") else {
                    break;
                };
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().unwrap(),
                    "content-type" => drop(cgi.env("CONTENT_TYPE", value)),
                    "content-encoding" => drop(cgi.env("HTTP_CONTENT_ENCODING", value)),
                    "git-protocol" => drop(cgi.env("GIT_PROTOCOL", value)),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut child = cgi
                .env("CONTENT_LENGTH", length.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(&body).unwrap();
            let out = child.wait_with_output().unwrap().stdout;
            let text = String::from_utf8_lossy(&out);
            let status = text.lines().find_map(|line| line.strip_prefix("Status: "));
            let head = format!(
                "HTTP/1.1 {}\r\nConnection: close\r\n",
                status.unwrap_or("200 OK")
            );
            // A client that has gone away asks for nothing more.
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&out));
        }
    });
    Some(port)
}
