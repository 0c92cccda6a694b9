// Package journal carries gatewayd's own records and the output of its
// gateways to journald, or to a terminal. It decides nothing and knows no
// container: it is given lines and records, and sees to it that they arrive
// complete and in order, and that nobody waits for a journal that is blocked.
//
// # The two ways
//
// Under systemd, a Sink takes everything:
//
//	sink := journal.NewSink(journal.Journald())
//	defer sink.Close(ctx)
//	log := zap.New(journal.NewCore(zapcore.InfoLevel, sink, secrets))
//	output, err := journal.OpenOutput(launch, sink.WriteLine, secrets)
//
// On a terminal, both go to one writer that locks:
//
//	w := zapcore.Lock(os.Stderr)
//	log := zap.New(journal.NewConsole(zapcore.InfoLevel, w, secrets))
//	output, err := journal.OpenOutput(launch, journal.ConsoleLines(w), secrets)
//
// A terminal that is held (Ctrl-S) holds everything up, as it does with any
// program in the foreground.
//
// # Fields
//
// Every record carries what a query at night needs:
//
//	GATEWAY=            name of the gateway; absent where none is concerned
//	LAUNCH=             number of the launch
//	CONTAINER_ID=       id of its container
//	STREAM=             stdout, stderr, or gatewayd for gatewayd's own records
//	SYSLOG_IDENTIFIER=  the gateway's name, or gatewayd
//	EVENT=, MESSAGE_ID= what happened, by a stable name and a stable id (Events)
//
// A core turns the key of each zap field into upper case: "container_id"
// becomes CONTAINER_ID, "event" EVENT with its MESSAGE_ID. The text of an error
// field follows the message, since journalctl shows no other field. Records
// with a "gateway" field share the queue of that gateway's lines: what was
// written before a crash comes before the record that tells of it, if
// Output.Close came before it was logged.
//
// # Lines
//
// A line ends with a newline or with the stream; every other byte is kept, NUL
// and carriage return too. A prefix "<0>" to "<7>" (sd-daemon(3)) sets PRIORITY
// and is removed. Without one it is 6, info, on both streams: most programs
// write all that they say to stderr, so that taking it for errors would bury
// the true ones. systemd does the same. A line longer than 64 KiB goes on in
// further records, with CONTAINER_PARTIAL_MESSAGE=true on all but the last.
//
// The values of secrets are taken out before a stream is cut into lines, so also
// one that goes on in the next line or chunk. A line that may end with the first
// part of one waits for what follows it.
//
// Order holds within a stream. Between stdout and stderr of a gateway there is
// none to keep: they are two pipes.
//
// # Bounds
//
// Each gateway has a queue of 1 MiB, gatewayd another, and one record of each
// is sent in turn, so that a flood delays only the gateway that makes it.
// A full queue makes WriteLine wait, hence the pipe fill up and the gateway
// wait: a flood arrives complete at the pace of journald. But when one record
// has been on its way for a second, journald counts as blocked, and until it
// moves again what finds no room is dropped, counted, and told of by a record
// with EVENT=output-dropped in the very place of the gap. gatewayd's own
// records never wait; they have 64 KiB more than the lines, so that a flood
// cannot push them out.
//
// Not in our hands: journald drops what exceeds its RateLimitBurst= (10000
// records in 30 s and more on large disks, counted together for all units of
// one user), and says so itself.
//
// # Why not journal.Send
//
// The native protocol is spoken here, over a connected socket, and not by
// Send of go-systemd, which sends from one that is not connected. For such a
// socket poll(2) reports room whether journald's queue has any or not, so that
// Go's poller wakes at once and Send uses a whole processor for as long as
// journald is blocked (measured on Linux 6.18; a test here holds the
// opposite). Nor can Send be interrupted.
package journal
