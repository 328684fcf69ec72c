"""What stands on and beside the road: signs, vehicles, people, lights."""
