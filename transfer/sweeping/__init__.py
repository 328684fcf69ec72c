"""Which settings suit these pictures? Trials of a study that many machines may share."""
