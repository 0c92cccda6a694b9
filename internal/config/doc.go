// Package config turns the text of gatewayd.toml into checked values.
//
// [Load] and [Parse] either return a [Config] that nobody needs to check again,
// or [Faults]: everything that is wrong with the text, at once, each fault with
// file, line, column, key, problem and, where one is near, the key or value
// that was probably meant. There is no third way: a value that is not
// understood is a fault, never a default.
//
// # How a file is read
//
// The library's decoder stops at its first error, so only its parser is used:
//
//	text → tree of nodes, each with its position    tree.go, node.go
//	     → a schema walks the tree and fills Config  schema.go, keys.go
//	     → rules that join several keys              rules.go
//
// The tree knows the rules of TOML about what may be defined how often, the
// schema knows gatewayd's keys. A key is one row of a table in keys.go: its
// name, the checker of its value, the field it fills.
//
// # What is checked, and what is not
//
// Everything that the text alone decides is a fault. What depends on the moment
// (a source that is missing, a required variable that is not set) is none: it
// fails one gateway when that is launched, and [Gateway.Warnings] foretells it.
//
// # Threats
//
// The file belongs to whoever runs gatewayd, so its values are trusted with all
// that this user may do. Its text is not trusted with a terminal or a journal:
// what a fault quotes is cut short, and its control characters are escaped.
package config
