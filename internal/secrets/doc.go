// Package secrets reads the values of secrets where they come from, and keeps
// the memory of this process from others of the same user.
//
// No error of this package holds a value, or a part of one: what a program
// printed is not told, and of a file only how it is owned.
//
// A value is in memory that is cleared where this package is done with it. Go
// may have made copies before, which nobody can find: a string, what
// encoding/json wrote, a stack that has grown. [Guard] is what protects those.
package secrets
