/*
 * base/mutant.h - planted bugs, to see that the simulator finds each (docs/mutants.md).
 *
 * Nothing of it is in an ordinary build: MUTANT() is 0 there, and the compiler leaves the line out.
 * `make mutants` builds apart with SAGAD_MUTANTS and switches them on one at a time.
 */
#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

#ifdef SAGAD_MUTANTS
extern unsigned mutant_on; /* 0: none */
#define MUTANT(number, text) (mutant_on == (number))
#else
#define MUTANT(number, text) 0
#endif

#endif
