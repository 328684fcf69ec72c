"""How the network learns: probe, fine-tuning, schedule, stopping and the device it runs on."""
