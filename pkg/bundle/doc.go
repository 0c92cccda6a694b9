// Package bundle stages and removes what a launch is made of.
package bundle
