"""What an ambassador of any protocol needs: doors, dialing, health, balance, admin."""
