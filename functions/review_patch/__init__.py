"""ReviewPatch: a second opinion on a patch that is proven, before people are asked."""
