"""AwaitApproval: puts the question to a human and leaves the task token where only a decision finds it."""
