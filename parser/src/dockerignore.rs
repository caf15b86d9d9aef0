//! `.dockerignore`: which paths of the build context are left out.
