"""What a domain says about itself, and how it is found."""
