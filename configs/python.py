"""A small HTTP server on a unix socket, under gatewayd: see python.toml."""

import http.server
import signal
import socketserver
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5  # of an idle connection: a deploy waits for it

    def do_GET(self):
        body = b"ok\n" if self.path == "/healthz" else b"python\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if ending.is_set():
            self.send_header("Connection", "close")  # the next request is the next launch's
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    request_queue_size = 1024


def end(*_):
    ending.set()
    threading.Thread(target=server.shutdown).start()


# As PID 1 of the container it gets SIGTERM only if it asks for it.
ending = threading.Event()
server = Server(sys.argv[1], Handler)
signal.signal(signal.SIGTERM, end)
server.serve_forever()
server.server_close()  # returns when the threads have answered
