"""The process that keeps the others alive. Standard library only: it must live when all else dies."""
