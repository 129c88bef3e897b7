"""The imperative shell: perform one step, write it down, repeat."""
