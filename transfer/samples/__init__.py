"""From files to rows: targets, manifests, layouts and splits; no torch in here."""
