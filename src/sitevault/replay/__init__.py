"""Fix and run again, without a duplicate: select, show, requeue, rebuild, enrich anew."""
