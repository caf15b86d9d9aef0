//! An ignore file out of what the context holds and what the program needs.
