"""The ports on paper: chains, venues and bridges that live in memory."""
