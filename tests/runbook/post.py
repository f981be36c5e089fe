"""A post office that refuses letters for good until it is mended."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Post(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.refuses, self.receivers = True, list[str]()
        super().__init__(("127.0.0.1", 0), _Counter)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class _Counter(socketserver.StreamRequestHandler):
    """Knows as much of SMTP as a letter needs."""

    server: Post

    def handle(self) -> None:
        self.wfile.write(b"220 post\r\n")
        inside = False
        while line := self.rfile.readline().decode():
            verb = line[:4].upper()
            if inside:
                if line != ".\r\n":
                    continue
                inside = False
            elif verb == "RCPT" and self.server.refuses:
                self.wfile.write(b"550 no such mailbox\r\n")
                continue
            elif verb == "RCPT":
                self.server.receivers.append(line.partition("<")[2].partition(">")[0])
            inside = verb == "DATA" and not inside
            self.wfile.write(b"354 go\r\n" if inside else b"250 ok\r\n")
            if verb == "QUIT":
                return


@contextmanager
def post_office() -> Iterator[Post]:
    with Post() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        try:
            yield made
        finally:
            made.shutdown()
