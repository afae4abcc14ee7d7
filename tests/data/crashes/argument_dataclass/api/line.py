from dataclasses import dataclass


@dataclass
class Line:
    sku: str
    quantity: int
