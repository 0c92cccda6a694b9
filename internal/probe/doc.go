// Package probe asks one question of a gateway: does it work?
package probe
