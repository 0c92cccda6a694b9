// Package example is the gateway that gatewayd demonstrates and tests itself
// with: a small HTTP service that behaves as a good gateway does, and that
// crashes when asked to.
//
//	/                  who answers: host name, pid, since when, how many requests
//	/healthz           ok
//	/crash             answers, then exits with code 1
//	/crash?code=3      … with code 3
//	/crash?signal=SEGV … by SIGSEGV
//	/slow?for=5s       answers after that time, at most a minute
//
// What a gateway under gatewayd should do, and this one does:
//
//   - It handles SIGTERM itself. As PID 1 of its container it has no default
//     action: a signal without a handler is dropped by the kernel
//     (pid_namespaces(7)).
//   - On SIGTERM it takes no more connections, finishes the requests in flight
//     with "Connection: close", and returns within a bound that is shorter than
//     the supervisor's patience.
//   - It serves on the sockets that it is given (LISTEN_FDS and LISTEN_PID,
//     sd_listen_fds(3)), and opens one of its own only when there is none.
//   - It says READY=1 once it answers, where NOTIFY_SOCKET asks for that
//     (sd_notify(3)), and STOPPING=1 when it no longer will.
//
// It needs no file but its own binary: no /etc, no /proc, no /tmp.
package example
