"""The benchmark: what Perch costs beside the bare minimum of its stack, measured in turn in one run."""
