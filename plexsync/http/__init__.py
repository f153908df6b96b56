"""What both HTTP clients stand on: pooled connections, deadlines, size caps, and foreign errors made ours."""
