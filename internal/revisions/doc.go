// Package revisions keeps the history of each gateway: what was deployed, when,
// why, from a source with which digest, and what became of it.
//
//	h, err := revisions.Open(dir, "web") // h is of use in any case; err: what was wrong with the file
//	r, g, ok := h.Resume(file)           // what served last, while the file's table is what it was then
//	n := h.Add("deploy", g, file)        // on its way
//	h.Serve(n)                           // it is what serves
//	h.Settle(n, revisions.Served, "")    // and it was ready; or what else became of it
//	h.Try(previous, until)               // it is provisional, until Confirm or another Serve
//	err = h.Save()
//
// # What holds over a restart of gatewayd
//
// A deploy with another source and a rollback run something else than the
// configuration file says. That holds until the gateway's table in the file
// changes: beside each revision stands that table as it was. The table of the
// revision whose outcome was known last is compared; so a file that was tried
// and did not work is not tried again by a mere restart, and one whose deploy
// was interrupted is.
//
// Tables are compared by the values that they had when they were written down:
// what a later version of gatewayd has learned to configure makes no difference.
//
// # The file
//
// One file of JSON for each gateway, with mode 0600, since the environment in a
// table may be secret. It is written under another name and renamed. It keeps
// the last 20 revisions, whose numbers go on from 1 and are not used again. A
// file that cannot be understood is put aside, as NAME.json.damaged, and the
// history begins anew.
package revisions
