//! What a Dockerfile means: stages, scopes, commands, layers, build context.
