"""What runs in the build itself, on whatever Python the image has: standard library and pytest only."""
