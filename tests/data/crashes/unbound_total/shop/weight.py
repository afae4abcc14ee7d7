def weight(parcels):
    """Total weight in kilograms."""
    for parcel in parcels:
        total += parcel["kilos"]
    return total
