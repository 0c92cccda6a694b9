// Package redact takes secret values out of text that is about to be shown.
//
//	var set redact.Set
//	set.Add("token", value)                // false: too short to be told from other text
//	shown := set.String(text)              // a text as a whole
//	stream := set.Stream(emit)             // or piece by piece, wherever it is cut
//	stream.Write(piece)
//	stream.Flush()                         // nothing more comes
//
// In the place of a value stands "[redacted token]". A nil *Set knows no value.
//
// # What is found
//
// A value of Min bytes or more, whatever stands around it and however the text
// is cut into pieces, also where it overlaps another one:
//
//   - as it is; blanks and line breaks in it may be others, and more or fewer
//     (CR LF, indented, joined to one line), since words are often made one line;
//   - each line of 16 bytes or more, of a value that has several;
//   - as JSON, Go, Python or C escape it in a string: \" \/ \n \x0a \u00e4, in
//     either case, surrogates too, escaped more than it must be;
//   - in a URL: %2f in either case, with "+" or "%20" for a blank, also where it
//     need not be encoded;
//   - in hexadecimal, in either case, also with blanks, colons or line breaks;
//   - in base64 of either alphabet, with padding or without, by itself or at any
//     place in the middle of what was encoded, also where lines are wrapped;
//   - in base64 or hexadecimal that is itself part of such a string or URL.
//
// # What is not
//
// Anything else that a program may do to a value: reverse, compress, encrypt, hash
// or translate it (base32, decimal numbers, HTML entities, upper case), encode it
// twice, print it with other text between its characters, or print a part of
// it: the password in a database's URL is no value of its own, nor is the short
// last line of a key that is printed line by line. A number in JSON stays: it is
// no text. Of base64 that is wrapped, up to two bytes of the value remain where a
// line breaks within them. A value that a text was cut in was there in part only,
// so who cuts a text must redact it before.
//
// # How
//
// One automaton (Aho, Corasick 1975) knows all values in their plain form. Text
// is never searched for encoded values: it is decoded in all these ways at once,
// and what comes out of each goes through the automaton. So no form of escaping
// has to be foreseen, and the time does not depend on the number of values. Most
// bytes are passed over by a look at two of them.
//
// A Stream holds back what may be the beginning of a value, at most half a MiB:
// the beginning of a longer one, such as a file of 64 KiB with each byte as \u00XX
// between blanks, is let go. A line that is finished is held back only where a
// value has a line break or a blank in this place, or goes on in encoded lines.
package redact
