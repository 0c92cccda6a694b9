// Package e2e tests the built gatewayd from outside, by what a person, systemd
// and the journal see of it.
//
// # Level 5: the binary
//
// testdata/script holds testscripts that need nothing but the binary, and
// testdata/daemon those that run a gatewayd with gateways in containers; see
// TestScripts and TestDaemonScripts for the commands that they use.
//
// # Level 6: the unit
//
// The other tests run the installed unit under a real systemd user manager, in
// the test host. The manager gets one template of it, e2e@.service: the
// installed file, with directories of the instance's own, so that tests run side
// by side. Tests of root's unit use gatewayd.service itself, one after another.
//
// # What runs in the containers
//
// programs/gateway does what its arguments say; programs/runtime stands before
// the real runtime and goes wrong on order. Both are static and are built by
// test/host where that can, else here.
package e2e
