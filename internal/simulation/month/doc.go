// Package month plays a month of an installation at every provider at once: the
// real stores, daemons' parts and HTTP faces with their signatures, and a clock
// that is moved by hand. What goes wrong is planted at known places, and at the
// end all of it must have been found there, nothing else, and the books must
// agree with the providers' own to the cent. See TestMonth.
package month
