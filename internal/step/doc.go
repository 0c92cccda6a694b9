// Package step knows every change that gatewayd makes outside of its own process:
// what is there when it is killed, and what the next gatewayd has to find and mend.
//
//	step.Done("leaf-made")
//
// stands behind each, in the few primitives that make such changes. In a usual
// build it is nothing. One with -tags steps, for tests, notes in a directory that
// $GATEWAYD_STEPS names which steps were done (hits, a line each), and kills its
// process after the one that is armed there (kill, NAME:N, is the Nth time from
// then on), once.
package step
