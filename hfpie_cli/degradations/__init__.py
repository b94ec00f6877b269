"""What spoils pictures: noise, blur, compression and reduction, each by name."""
