"""Draws the pictures of methods.md; no package needed: python3 docs/methods/draw.py"""

import math
from pathlib import Path

HERE = Path(__file__).parent
INK, BLUE, RED, GREEN, SOFT = "#333a41", "#0072b2", "#d55e00", "#009e73", "#8a949e"


def svg(name, label, body, height=220):
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 {height}" role="img" '
        f'aria-label="{label}" font-family="system-ui,sans-serif" font-size="13" fill="{INK}">\n'
        f'<title>{label}</title>\n<rect width="520" height="{height}" fill="#fff"/>\n{body}</svg>\n'
    )
    (HERE / f"{name}.svg").write_text(text)


def line(x1, y1, x2, y2, color=INK, width=1.2, dash=""):
    dash = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{color}" stroke-width="{width}"{dash}/>\n'


def dot(x, y, color=BLUE, r=4):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{color}"/>\n'


def text(x, y, words, color=INK, anchor="start"):
    return f'<text x="{x}" y="{y}" fill="{color}" text-anchor="{anchor}">{words}</text>\n'


def path(points, color, width=2, dash=""):
    dash = f' stroke-dasharray="{dash}"' if dash else ""
    d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width}"{dash}/>\n'


def axes(x, y):
    return line(60, 180, 500, 180) + line(60, 180, 60, 20) + text(280, 210, x, anchor="middle") + text(
        66, 18, y
    )


def conditional():
    y = lambda x: 150 - 0.22 * (x - 60)
    body = axes("what is known of a subset, z", "one weight, w")
    for k in range(9):
        x = 80 + 24 * k
        body += dot(x, y(x) + 7 * math.sin(5 * k))
    body += path([(70, y(70)), (285, y(285))], BLUE) + path([(285, y(285)), (480, y(480))], RED, 2, "6 5")
    body += line(285, 30, 285, 180, SOFT, 1, "3 4")
    body += text(80, 172, "fine-tuned networks", BLUE) + text(300, 172, "applied: no training", RED)
    body += dot(430, y(430), RED, 5) + text(440, y(430) - 8, "child", RED)
    svg("conditional", "A weight against z: fitted to fine-tuned networks, applied beyond them", body)


def farcast():
    w = lambda t: 50 + 120 * math.exp(-t / 90)
    body = axes("training step, t", "one weight, w")
    seen = [(60 + t, w(t)) for t in range(0, 171, 5)]
    body += path(seen, BLUE)
    body += path([(60 + t, w(t)) for t in range(170, 421, 5)], SOFT, 1.5, "3 4")
    body += dot(60, w(0), BLUE, 5) + dot(230, w(170), BLUE, 5) + dot(440, w(380) + 6, RED, 5)
    body += path([(230, w(170)), (440, w(380) + 6)], RED, 1.5, "6 5")
    body += text(70, 172, "observed", BLUE) + text(444, w(380) + 26, "farcast", RED, "middle")
    body += text(330, 50, "trained all the way", SOFT)
    svg("farcast", "A weight along training: observed at first, then farcast", body)


def know():
    body = axes("more data  →", "one weight, w")
    xs = [(420, "all"), (330, "1/2"), (240, "1/4"), (150, "1/8")]
    ys = [70, 88, 112, 146]
    body += path([(x, y) for (x, _), y in zip(xs, ys)], BLUE)
    for (x, label), y in zip(xs, ys):
        body += dot(x, y) + text(x, y + 22, label, BLUE, "middle")
    body += path([(420, 70), (485, 58)], RED, 2, "6 5") + dot(485, 58, RED, 5)
    body += text(485, 46, "twice", RED, "middle")
    svg("know", "Fine-tuned on halves of the data, continued backwards to twice as many", body)


def inner():
    body = ""
    for row, (name, cut) in enumerate([("the experiment", 330), ("inside its training data", 230)]):
        y = 40 + 80 * row
        body += f'<rect x="60" y="{y}" width="{cut - 60}" height="26" fill="{BLUE}" opacity="0.75"/>\n'
        end = 490 if row == 0 else 330
        body += f'<rect x="{cut}" y="{y}" width="{end - cut}" height="26" fill="{RED}" opacity="0.75"/>\n'
        body += text(60, y - 8, name)
        body += text((60 + cut) / 2, y + 18, "learned from", "#fff", "middle")
        body += text((cut + end) / 2, y + 18, "judged on", "#fff", "middle")
    body += line(330, 20, 330, 160, SOFT, 1, "3 4") + text(280, 185, "z  →", anchor="middle")
    svg("inner", "The whole method is repeated inside its training data with the edge held out", body, 200)


def arithmetic():
    a, b, c = (110, 160), (230, 60), (380, 130)
    body = dot(*a, INK, 5) + text(a[0] - 10, a[1] + 22, "net", anchor="middle")
    for (x, y), name, color in [(b, "a", BLUE), (c, "b", GREEN)]:
        body += line(*a, x, y, color, 2) + dot(x, y, color, 5) + text(x + 10, y - 6, name, color)
    s = (a[0] + 0.6 * (b[0] + c[0] - 2 * a[0]), a[1] + 0.6 * (b[1] + c[1] - 2 * a[1]))
    body += line(*a, *s, RED, 2, "6 5") + dot(*s, RED, 5)
    body += text(s[0] + 10, s[1] - 4, "net + 0.6 (a − net) + 0.6 (b − net)", RED)
    svg("arithmetic", "Networks as points: differences are added to a base", body, 200)


def jump():
    body = axes("training step, t", "how good the network is")
    up = lambda t: 180 - 140 * (1 - math.exp(-t / 110))
    body += path([(60 + t, up(t)) for t in range(0, 421, 5)], SOFT, 1.5, "3 4")
    jumped, gain = [], 0
    for step in range(0, 301, 5):
        if step in (80, 160, 240):
            gain += 45
            jumped.append((60 + step, up(step + gain - 45)))
        jumped.append((60 + step, up(step + gain)))
    body += path(jumped, RED)
    body += text(330, 105, "plain training", SOFT) + text(250, 34, "with jumps", RED)
    svg("jump", "Training that jumps ahead along its own trail", body)


if __name__ == "__main__":
    for draw in (conditional, farcast, know, inner, arithmetic, jump):
        draw()
