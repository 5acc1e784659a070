// Package touched counts the files that a change touches by hand: a new service is one, a new model is one, a new dialect is its folder and one file more.
//
// The test makes each change in an overlay, which changes no file of the tree, builds the program and asks it what it knows.
package touched
