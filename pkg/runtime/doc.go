// Package runtime drives an OCI runtime (youki, crun, runc) through go-runc.
package runtime
