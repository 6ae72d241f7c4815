"""The figures that ds01 promises, measured side by side with what they are compared to."""
