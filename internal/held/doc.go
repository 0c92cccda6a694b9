// Package held keeps, over restarts of gatewayd, which gateways are held and
// what their launches were made from: only something else is worth another one.
//
//	s := held.Store{Dir: dir, Keys: runtimeDir}
//	h, ok := s.Read("web")
//	h.Print.Values, err = s.Seal("web", values...) // of secrets
//	err = s.Write("web", h)
//	err = s.Remove("web")
//
// # What is told of secrets
//
// The file lies on a disk, and must not help to guess a value: it has a MAC
// (HMAC-SHA-256) of all values together, under a random key of this hold alone.
// The key lies in memory, in the runtime directory. Without it, as after a boot,
// nobody knows whether a value is the same, and the gateway is launched again.
package held
