package bundle

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// A fault is an error on its way out of another process. It keeps the chain:
// errors.Is and errors.As find in it what they would have found there, as far
// as it can be of use here.
type fault struct {
	Text     string
	Sentinel int           // it is sentinels[Sentinel-1]
	Errno    syscall.Errno // it is this number
	Op, Path string        // it is an *fs.PathError
	Causes   []fault
}

// sentinels are the errors that stay what they are.
var sentinels = []error{
	ErrSpecialFile, ErrChanged, ErrTooLarge, ErrUnmapped, ErrNoRange, ErrRefused,
	fs.ErrPermission, fs.ErrExist, fs.ErrNotExist, fs.ErrInvalid, errors.ErrUnsupported,
	context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF,
}

func faultOf(err error) *fault {
	if err == nil {
		return nil
	}
	f := &fault{Text: err.Error()}
	for i, sentinel := range sentinels {
		if err == sentinel { //nolint:errorlint // the chain is taken apart, link by link
			f.Sentinel = i + 1
		}
	}
	switch err := err.(type) { //nolint:errorlint // as above
	case syscall.Errno:
		f.Errno = err
	case *fs.PathError:
		f.Op, f.Path = err.Op, err.Path
		f.causedBy(err.Err)
	case *readError: // tells what is worth another try in a namespace; this was it
		return faultOf(err.PathError)
	case interface{ Unwrap() []error }:
		f.causedBy(err.Unwrap()...)
	default:
		f.causedBy(errors.Unwrap(err))
	}
	return f
}

func (f *fault) causedBy(causes ...error) {
	for _, cause := range causes {
		if cause != nil {
			f.Causes = append(f.Causes, *faultOf(cause))
		}
	}
}

// error is the error again; nil for no fault.
func (f *fault) error() error {
	switch {
	case f == nil:
		return nil
	case f.Sentinel > 0 && f.Sentinel <= len(sentinels):
		return sentinels[f.Sentinel-1]
	case f.Errno != 0:
		return f.Errno
	}
	cause := f.cause()
	switch {
	case f.Op != "" && cause != nil:
		return &fs.PathError{Op: f.Op, Path: f.Path, Err: cause}
	case len(f.Causes) > 1 && cause.Error() == f.Text:
		return cause // joined, and nothing said on top of it
	}
	return &foreignError{f.Text, cause}
}

func (f *fault) cause() error {
	if len(f.Causes) == 1 {
		return f.Causes[0].error()
	}
	var causes []error
	for i := range f.Causes {
		causes = append(causes, f.Causes[i].error())
	}
	return errors.Join(causes...)
}

// A foreignError keeps the words of the process that met it.
type foreignError struct {
	text  string
	cause error
}

func (e *foreignError) Error() string { return e.text }
func (e *foreignError) Unwrap() error { return e.cause }
