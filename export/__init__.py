"""From networks to files: writers of formats, builds of bundles, packs for phones and web."""
