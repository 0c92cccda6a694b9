// Package load puts load on an HTTP server and counts what becomes of each
// request. Tests use it in their own process; what is measured gets it from a
// process of its own (Main), since a client that waits for a processor would
// blame the server.
//
// Three kinds of clients, together or alone:
//
//   - fresh: a new connection for each request, so many a second whatever the
//     answers take (an open loop: a server that stalls does not slow them down);
//   - kept: connections that are kept, each asking again after its answer, and
//     connecting again when the server has closed it, as it may between requests;
//   - bulk: connections that download as fast as they can.
//
// A request is counted once:
//
//	ok         a whole answer with status 200
//	wrong      another answer; a busy signal is one
//	refused    connecting was refused
//	reset      the connection broke before the request was sent
//	cut        the connection ended when the request was sent, without a whole answer
//	timed out  nothing of the kind within Options.Timeout
//
// Connections are closed by a reset, so that none is left in TIME-WAIT: a run
// would use up the ports.
package load
