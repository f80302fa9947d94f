#!/usr/bin/env python3
"""Plays a session of a terminal program in a real pty and writes it as an animated SVG; `make record` makes README's.

  record.py --out demo.svg [--rows 40 --cols 140] --keys wait:20,down,enter,wait:5,q -- PROGRAM ARGS...

Key names: up down left right enter tab esc space, ctrl-x, wait:SECONDS, or the characters themselves. While a `wait`
lasts the picture runs faster (--speed); what stands still is cut to --hold seconds. Needs pyte, which reads the screen;
without it the script installs it into target/record-tools and starts over.
"""
import argparse, fcntl, html, os, pathlib, pty, re, select, signal, struct, subprocess, sys, termios, time, venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / "target/record-tools"
PYTE = "pyte==0.8.2"
try:
    import pyte
except ImportError:
    if str(TOOLS) == sys.prefix:
        sys.exit("record: pyte was installed and cannot be imported.")
    venv.create(TOOLS, with_pip=True)
    subprocess.run([TOOLS / "bin/pip", "install", "--quiet", "--disable-pip-version-check", PYTE], check=True)
    os.execv(TOOLS / "bin/python", [str(TOOLS / "bin/python"), *sys.argv])

KEYS = dict(up="\x1b[A", down="\x1b[B", right="\x1b[C", left="\x1b[D", enter="\r", tab="\t", esc="\x1b", space=" ")
# Questions to the terminal and modes that pyte would print as text.
PRIVATE = re.compile(rb"\x1b\[[<>=][0-9;:]*[a-zA-Z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^][^\x1b]*\x1b\\")
NAMED = dict(black="#1e1e1e", red="#cd3131", green="#0dbc79", brown="#d7ba3c", blue="#3b8eea", magenta="#bc3fbc",
             cyan="#11a8cd", white="#e5e5e5", brightblack="#767676")
GROUND, TEXT = "#14161a", "#d8dade"
WIDTH, HEIGHT = 8.43, 18.0


class Session:
    """A program in a pty, its screen, and the frames it showed: (screen, seconds)."""

    def __init__(self, command, rows, cols):
        self.screen = pyte.Screen(cols, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.frames = []
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execvp(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def play(self, seconds, speed):
        """Lets the program run and takes eight pictures a second; False at its end."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            step = min(end, now + 0.125)
            while (left := step - time.monotonic()) > 0:
                if select.select([self.fd], [], [], left)[0]:
                    try:
                        read = os.read(self.fd, 1 << 16)
                    except OSError:
                        return False
                    if b"\x1b[6n" in read:
                        os.write(self.fd, b"\x1b[1;1R")
                    if b"\x1b[c" in read:
                        os.write(self.fd, b"\x1b[?62;22c")
                    self.stream.feed(PRIVATE.sub(b"", read))
            picture = tuple(self.row(row) for row in range(self.screen.lines))
            took = (step - now) / speed
            if self.frames and self.frames[-1][0] == picture:
                self.frames[-1][1] += took
            else:
                self.frames.append([picture, took])
        return True

    def row(self, row):
        """A row as pieces of one style: (column, text, colour, ground, bold)."""
        pieces, line = [], self.screen.buffer[row]
        for column in range(self.screen.columns):
            cell = line[column]
            ink, ground = colour(cell.fg, TEXT), colour(cell.bg, GROUND)
            if cell.reverse:
                ink, ground = ground, ink
            style = (ink, ground, cell.bold)
            if pieces and pieces[-1][2] == style and cell.data:
                pieces[-1][1].append(cell.data)
            elif cell.data:
                pieces.append((column, [cell.data], style))
        return tuple((column, "".join(text), *style) for column, text, style in pieces)

    def key(self, name):
        code = chr(ord(name[5]) & 31) if name.startswith("ctrl-") else KEYS.get(name, name)
        os.write(self.fd, code.encode())


def colour(name, default):
    if name == "default":
        return default
    if re.fullmatch("[0-9a-fA-F]{6}", name):
        return f"#{name}"
    return NAMED.get(name) or NAMED.get(name.removeprefix("bright"), default)


def svg(frames, rows, cols, hold):
    """A strip of frames that moves up by one frame at a time; a row that was seen before is drawn by its name."""
    times = [min(seconds, hold) for _, seconds in frames]
    total, height, width = sum(times), rows * HEIGHT, cols * WIDTH
    known, parts, keyframes, at = {}, [], [], 0.0
    for number, ((picture, _), seconds) in enumerate(zip(frames, times)):
        keyframes.append(f"{100 * at / total:.3f}%{{transform:translateY(-{number * height:.0f}px)}}")
        at += seconds
        for row, pieces in enumerate(picture):
            if any(text.strip() or ground != GROUND for _, text, _, ground, _ in pieces):
                name = known.setdefault(pieces, f"r{len(known)}")
                parts.append(f'<use href="#{name}" y="{number * height + row * HEIGHT:.0f}"/>')
    shapes = "".join(f'<g id="{name}">{drawn(pieces)}</g>' for pieces, name in known.items())
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">'
            f"<style>text{{font:14px 'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}}.b{{font-weight:bold}}"
            f".d{{stroke-width:2.4;stroke-linecap:round}}"
            f"@keyframes p{{{''.join(keyframes)}}}#s{{animation:p {total:.2f}s steps(1,end) infinite}}</style>"
            f'<defs>{shapes}</defs><rect width="100%" height="100%" fill="{GROUND}"/><g id="s">{"".join(parts)}</g></svg>')


def drawn(pieces):
    parts = []
    for column, text, ink, ground, bold in pieces:
        x, width = column * WIDTH, len(text) * WIDTH
        if ground != GROUND:
            parts.append(f'<rect x="{x:.1f}" width="{width + 0.3:.1f}" height="{HEIGHT:.0f}" fill="{ground}"/>')
        # Few fonts have braille; its dots are drawn.
        if dots := "".join(braille(x + n * WIDTH, ord(c) - 0x2800) for n, c in enumerate(text) if "\u2800" < c <= "\u28ff"):
            parts.append(f'<path class="d" stroke="{ink}" d="{dots}"/>')
        for found in re.finditer(r"[^ \u2800-\u28ff]+(?: [^ \u2800-\u28ff]+)*", text):
            weight = ' class="b"' if bold else ""
            parts.append(f'<text x="{x + found.start() * WIDTH:.1f}" y="{HEIGHT - 4:.0f}" fill="{ink}"{weight} '
                         f'textLength="{len(found[0]) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs">'
                         f"{html.escape(found[0], quote=False)}</text>")
    return "".join(parts)


def braille(x, bits):
    """The dots of a cell, in the order of Unicode's bits."""
    places = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
    return "".join(f"M{x + WIDTH * (1 + 2 * across) / 4:.1f} {HEIGHT * (1 + 2 * down) / 8:.1f}h0"
                   for bit, (across, down) in enumerate(places) if bits >> bit & 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--cols", type=int, default=140)
    parser.add_argument("--keys", required=True)
    parser.add_argument("--speed", type=float, default=4.0)
    parser.add_argument("--hold", type=float, default=2.0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = arguments.command[arguments.command[:1] == ["--"]:]
    session = Session(command, arguments.rows, arguments.cols)
    for key in filter(None, arguments.keys.split(",")):
        if key.startswith("wait:"):
            alive = session.play(float(key[5:]), arguments.speed)
        else:
            session.key(key)
            alive = session.play(1.0, 1.0)
        if not alive:
            break
    if not session.frames:
        sys.exit("record: the program showed nothing.")
    picture = svg(session.frames, arguments.rows, arguments.cols, arguments.hold)
    pathlib.Path(arguments.out).write_text(picture)
    print(f"record: {arguments.out}, {len(session.frames)} frames, {len(picture) / 1e6:.2f} MB")
    os.kill(session.pid, signal.SIGTERM)


if __name__ == "__main__":
    main()
