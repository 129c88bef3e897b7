"""From drifts and indicative edges to a plan: pure, deterministic, without clock or network."""
