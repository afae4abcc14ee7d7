"""What a deployment costs in a month, from list prices and from what one heal was measured to use."""
