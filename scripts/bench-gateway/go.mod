module benchgateway

go 1.19
