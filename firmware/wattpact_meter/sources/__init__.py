"""What can measure: a current transformer with an ADC, or a meter with a P1 port."""
