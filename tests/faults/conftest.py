"""What is no test here: `shifted` is put into the path of workers whose clock is to be wrong."""

collect_ignore = ["shifted"]
