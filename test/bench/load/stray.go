package load

// Kill is the end of a process that served, in Now.
type Kill struct {
	Sent, Dead int64 // when the signal was sent, and when the process had ended
}

// Stray counts the requests that were neither refused nor timed out, and failed
// though they were in flight in no process that was killed: a request can be that
// when it had begun before the process was dead and failed after the signal.
func Stray(failures []Failure, kills []Kill) (n int) {
	for _, f := range failures {
		explained := f.Kind == "refused" || f.Kind == "timed out" // counted as what they are
		for _, k := range kills {
			explained = explained || f.Began <= k.Dead && f.Ended >= k.Sent
		}
		if !explained {
			n++
		}
	}
	return n
}
