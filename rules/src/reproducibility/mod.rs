//! Files that give another image tomorrow.

